"""Reading and predicting for classification, whichever other tasks there are."""

from functools import partial

from headstart import reading
from headstart.data import write
from headstart.tasks.classification import Classification

read = partial(reading.read, task="classification")
extend = partial(write.extend, task=Classification())
