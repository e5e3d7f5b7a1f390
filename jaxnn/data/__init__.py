"""Data: R's random stream, the lecture's made-up sets, the MNIST digits."""

from jaxnn.data.mnist import Mnist as Mnist
from jaxnn.data.mnist import load_mnist as load_mnist
from jaxnn.data.rrandom import RRandom as RRandom
from jaxnn.data.synthetic import Points as Points
from jaxnn.data.synthetic import circle as circle
from jaxnn.data.synthetic import circle_labels as circle_labels
from jaxnn.data.synthetic import flower as flower
from jaxnn.data.synthetic import sigmoid_boundary as sigmoid_boundary
from jaxnn.data.synthetic import sigmoid_labels as sigmoid_labels
