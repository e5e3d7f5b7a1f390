"""What makes one array differ from another, in a sentence: a factor, a transpose, a sum over the wrong axis."""

from jaxnn.verify.causes.cause import cause as cause
