"""The verbs of training, which `inrc` and `lightning` share."""

TRAINING = {
    "fit": "train a codec model",
    "validate": "measure a checkpoint on the rows of the validation files",
    "test": "measure a checkpoint or a codec on archives of the test files",
}
