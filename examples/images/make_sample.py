"""Draw ``sample.png``, the poster that ``ocr.ipynb`` reads.

The Latin font comes with matplotlib. The Chinese one is Noto Serif CJK (Debian: ``fonts-noto-cjk``), under the SIL Open
Font License, which covers the font and not the pictures made with it; the font itself is not part of this repository.
Run it where both are there::

    python examples/images/make_sample.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

SAMPLE = Path(__file__).with_name("sample.png")
CHINESE_FONT = Path("/usr/share/fonts/opentype/noto/NotoSerifCJK-Bold.ttc")
SIMPLIFIED = 2  # the font in the collection that draws simplified Chinese

SIZE = (1000, 700)  # pixels
PAPER, INK, BLUE, YELLOW = "#fbfaf5", "#1d2433", "#2932e1", "#ffd54a"


def main() -> None:
    """Write the poster beside this script."""
    if not CHINESE_FONT.is_file():
        sys.exit(f"{CHINESE_FONT}: no such font\n  on Debian: apt install fonts-noto-cjk")
    # 64 colours are all that flat areas and their smoothed edges need, in a third of the bytes.
    draw_poster().quantize(64).save(SAMPLE, optimize=True)


def draw_poster() -> Image.Image:
    """Draw five level lines, a tilted sticker, and a line that stands on its head."""
    page = Image.new("RGB", SIZE, PAPER)
    page.paste(_label("PaddlePaddle 3.3", _latin(72), PAPER, BLUE, (SIZE[0], 160)), (0, 0))
    chinese = ImageFont.truetype(str(CHINESE_FONT), 60, index=SIMPLIFIED)
    draw = ImageDraw.Draw(page)
    draw.text((60, 190), "飞桨开发环境", INK, chinese)
    draw.text((60, 310), "envkit 2026", BLUE, _latin(46))
    draw.text((60, 415), "one command to a notebook", INK, _latin(46))
    draw.text((60, 500), "models: the right bytes, or no start", INK, _latin(46))
    sticker = _label("pip, git, ssh", _latin(42), INK, YELLOW, (340, 100))
    tilted = sticker.rotate(14, expand=True, resample=Image.Resampling.BICUBIC)
    page.paste(tilted, (590, 215), tilted)
    page.paste(_label("this line stands on its head", _latin(46), INK, PAPER, (800, 80)).rotate(180), (100, 600))
    return page


def _label(text: str, font: ImageFont.FreeTypeFont, ink: str, ground: str, size: tuple[int, int]) -> Image.Image:
    label = Image.new("RGBA", size, ground)
    ImageDraw.Draw(label).text((size[0] / 2, size[1] / 2), text, ink, font, anchor="mm")
    return label


def _latin(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_manager.findfont("DejaVu Serif", fallback_to_default=False), size)


if __name__ == "__main__":
    main()
