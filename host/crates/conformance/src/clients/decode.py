"""Prepended to the scripts that read a single image."""


def must_decode(image, what):
    """Exits with an error if OpenCV cannot decode the image. Does nothing without OpenCV."""
    try:
        import cv2
        import numpy
    except ImportError:
        return
    if cv2.imdecode(numpy.frombuffer(image, numpy.uint8), cv2.IMREAD_COLOR) is None:
        raise SystemExit(f"the {what} does not decode")


