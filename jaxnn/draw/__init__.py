"""Pictures of data, predictions, training and networks; the only part of the library that imports matplotlib.

Every function returns a `matplotlib.figure.Figure` and touches no global state, so it works without a display.
"""

from matplotlib.figure import Figure as Figure

from jaxnn.draw.charts import cost_curve as cost_curve
from jaxnn.draw.charts import curves as curves
from jaxnn.draw.charts import decision_map as decision_map
from jaxnn.draw.charts import digit as digit
from jaxnn.draw.charts import digits as digits
from jaxnn.draw.charts import learning_curves as learning_curves
from jaxnn.draw.charts import panels as panels
from jaxnn.draw.charts import points as points
from jaxnn.draw.diagrams import computation_graph as computation_graph
from jaxnn.draw.diagrams import network as network
from jaxnn.draw.fits import error_curves as error_curves
from jaxnn.draw.fits import generalized_weights as generalized_weights
from jaxnn.draw.fits import restarts as restarts
from jaxnn.draw.importance import bars as bars
from jaxnn.draw.importance import profiles as profiles
from jaxnn.draw.style import BLUE as BLUE
from jaxnn.draw.style import DARK_BLUE as DARK_BLUE
from jaxnn.draw.style import DARK_ORANGE as DARK_ORANGE
from jaxnn.draw.style import GREY as GREY
from jaxnn.draw.style import INK as INK
from jaxnn.draw.style import ORANGE as ORANGE
