"""R's neuralnet, whole: `jaxnn.neuralnet` is its function; here are what it returns and what is kept in files."""

from jaxnn.r_neuralnet.fit import neuralnet as neuralnet
from jaxnn.r_neuralnet.inference import ConfidenceInterval as ConfidenceInterval
from jaxnn.r_neuralnet.net import NeuralNet as NeuralNet
from jaxnn.r_neuralnet.net import Prediction as Prediction
from jaxnn.r_neuralnet.net import load as load
