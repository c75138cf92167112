"""Read the text in a picture with PP-OCRv4: find the lines, cut them out, turn them upright, read them.

Three networks from ``checkpoints/``, run by ``paddle.inference``, with plain OpenCV and NumPy between them. A picture
is an array of height x width x 3, BGR, uint8, as ``cv2.imread`` gives it. A box is an array of four corners (x, y) in
pixels, clockwise from the upper left. The constants are those of PaddleOCR, but for GROWTH.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

with warnings.catch_warnings():
    # Only those who compile C++ operators need ccache; Paddle tells everybody on import.
    warnings.filterwarnings("ignore", message="No ccache found")
    import paddle
    from paddle import inference

Picture = NDArray[Any]
Floats = NDArray[Any]

LONGEST_SIDE = 960  # pixels: larger pictures are scaled down for the detection
MEAN, DEVIATION = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32)  # of ImageNet's pixels
INK = 0.3  # a pixel is text above this probability
BOX_SCORE = 0.6  # a box counts above this mean probability
GROWTH = 1.8  # how far a box grows: area / perimeter, times this, on each side (1.5 in PaddleOCR shaves large letters)
LINE_HEIGHT, LINE_WIDTH, DIRECTION_WIDTH = 48, 320, 192  # pixels
UPSIDE_DOWN = 0.9  # a line is turned above this probability


@dataclass(frozen=True)
class Line:
    """One line of text: where it is, what it says, and the mean probability of its characters (0 to 1)."""

    box: Floats
    text: str
    score: float


def has_gpu() -> bool:
    """Tell whether the networks will run on a GPU: this Paddle can use one, and there is one."""
    return bool(paddle.device.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0)


def runtime() -> str:
    """Name the Paddle at work and what it works on, so that nobody takes a CPU for a GPU."""
    return f"PaddlePaddle {paddle.__version__} on the {'GPU' if has_gpu() else 'CPU'}"


def load_picture(path: str) -> Picture:
    """Load a picture from a file.

    Raises:
        FileNotFoundError: there is no picture there that OpenCV can decode.
    """
    picture = cv2.imread(path)
    if picture is None:
        raise FileNotFoundError(f"{path}: no picture there, or not one that OpenCV can decode")
    return picture


class Network:
    """A network with one input and one output, loaded from the folder of a model."""

    def __init__(self, folder: Path) -> None:
        config = inference.Config(str(folder / "inference.pdmodel"), str(folder / "inference.pdiparams"))
        config.disable_glog_info()
        if has_gpu():
            config.enable_use_gpu(256, 0)  # 256 MB to begin with, on the first GPU
        self._predictor: Any = inference.create_predictor(config)

    def __call__(self, batch: Floats) -> Floats:
        (source,), (sink,) = self._predictor.get_input_names(), self._predictor.get_output_names()
        self._predictor.get_input_handle(source).copy_from_cpu(np.ascontiguousarray(batch))
        self._predictor.run()
        output: Floats = self._predictor.get_output_handle(sink).copy_to_cpu()
        return output


def ink_map(detection: Network, picture: Picture) -> Floats:
    """Map how probable text is (0 to 1), on a grid a little coarser than the picture."""
    shrink = min(1.0, LONGEST_SIDE / max(picture.shape[:2]))
    # The network halves its input five times: sides must be multiples of 32.
    height, width = (max(32, round(side * shrink / 32) * 32) for side in picture.shape[:2])
    pixels = cv2.resize(picture, (width, height)).astype(np.float32) / 255
    batch = ((pixels - MEAN) / DEVIATION).transpose(2, 0, 1)[np.newaxis]
    ink: Floats = detection(batch)[0, 0]
    return ink


def find_boxes(ink: Floats, picture: Picture) -> list[Floats]:
    """Put boxes around the blobs of an ink map, in reading order (Liao et al., arXiv:1911.08947, section 3.4)."""
    scale = np.array([picture.shape[1] / ink.shape[1], picture.shape[0] / ink.shape[0]], np.float32)
    blobs, _ = cv2.findContours((ink > INK).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes = []
    for blob in blobs:
        centre, (width, height), angle = cv2.minAreaRect(blob)
        if min(width, height) < 3 or _mean_inside(ink, blob) < BOX_SCORE:
            continue
        # The network was trained on lines that had been shrunk by this rule: let the rectangle grow back.
        margin = GROWTH * width * height / (width + height)
        corners = cv2.boxPoints((centre, (width + margin, height + margin), angle))
        boxes.append(_clockwise(corners) * scale)
    return sorted(boxes, key=lambda box: (round(box[:, 1].mean() / LINE_HEIGHT * 2), box[:, 0].mean()))


def cut_out(picture: Picture, box: Floats) -> Picture:
    """Cut out what is inside the box, as a level line."""
    upper_left, upper_right, lower_right, lower_left = box
    width = round(max(np.linalg.norm(upper_right - upper_left), np.linalg.norm(lower_right - lower_left)))
    height = round(max(np.linalg.norm(lower_left - upper_left), np.linalg.norm(lower_right - upper_right)))
    level = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    transform = cv2.getPerspectiveTransform(box, level)
    line = cv2.warpPerspective(
        picture, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.rot90(line) if height >= 1.5 * width else line


def turn_upright(direction: Network, line: Picture) -> Picture:
    """Turn the line by 180 degrees if the direction network is sure that it stands on its head."""
    _, upside_down = direction(_strip(line, DIRECTION_WIDTH))[0]
    return cv2.rotate(line, cv2.ROTATE_180) if upside_down > UPSIDE_DOWN else line


def read_line(recognition: Network, alphabet: list[str], line: Picture) -> tuple[str, float]:
    """Read what the line says, and the mean probability of its characters."""
    width = max(LINE_WIDTH, int(LINE_HEIGHT * line.shape[1] / line.shape[0]))
    return decode(recognition(_strip(line, width))[0], alphabet)


def decode(steps: Floats, alphabet: list[str]) -> tuple[str, float]:
    """Decode greedily (CTC): the best class of each step, without repeats, without blanks (class 0)."""
    best = steps.argmax(axis=1)
    kept = (best != 0) & np.append(True, best[1:] != best[:-1])
    text = "".join(alphabet[index] for index in best[kept])
    return text, float(steps.max(axis=1)[kept].mean()) if text else 0.0


def load_alphabet(dictionary: Path) -> list[str]:
    """Load the character of each class of the recognition network: blank, the dictionary's lines, space."""
    return ["", *dictionary.read_text("utf-8").splitlines(), " "]


def _strip(line: Picture, width: int) -> Floats:
    """Make a batch of one: the line in [-1, 1], 48 pixels high, at most ``width`` wide, filled up with zeros."""
    fitted = min(width, max(1, round(LINE_HEIGHT * line.shape[1] / line.shape[0])))
    strip = np.zeros((1, 3, LINE_HEIGHT, width), np.float32)
    strip[0, :, :, :fitted] = cv2.resize(line, (fitted, LINE_HEIGHT)).transpose(2, 0, 1) / 127.5 - 1
    return strip


def _mean_inside(ink: Floats, blob: NDArray[Any]) -> float:
    left, top, width, height = cv2.boundingRect(blob)
    mask = np.zeros((height, width), np.uint8)
    cv2.drawContours(mask, [blob - (left, top)], -1, 1, cv2.FILLED)
    return float(cv2.mean(ink[top : top + height, left : left + width], mask)[0])


def _clockwise(corners: Floats) -> Floats:
    by_x = corners[np.argsort(corners[:, 0])]
    upper_left, lower_left = sorted(by_x[:2], key=lambda corner: corner[1])
    upper_right, lower_right = sorted(by_x[2:], key=lambda corner: corner[1])
    return np.stack([upper_left, upper_right, lower_right, lower_left])
