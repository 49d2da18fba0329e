"""Put before the scripts that look at one picture."""


def must_decode(picture, what):
    """Ends the script if OpenCV is there and cannot decode the picture. Nothing else needs it."""
    try:
        import cv2
        import numpy
    except ImportError:
        return
    if cv2.imdecode(numpy.frombuffer(picture, numpy.uint8), cv2.IMREAD_COLOR) is None:
        raise SystemExit(f"the {what} does not decode")


