"""To come."""


def options(parser):
    pass


def run(arguments):
    pass
