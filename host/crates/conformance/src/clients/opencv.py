"""OpenCV opens the stream as a video. Arguments: the URL of the stream, width, height."""

import sys

import cv2

url, width, height = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
capture = cv2.VideoCapture(url)
if not capture.isOpened():
    sys.exit("VideoCapture cannot open the stream")
for number in range(10):
    read, frame = capture.read()
    if not read:
        sys.exit(f"VideoCapture reads {number} frames, not 10")
    if frame.shape != (height, width, 3):
        sys.exit(f"frame {number} is {frame.shape}, not {(height, width, 3)}")
capture.release()
