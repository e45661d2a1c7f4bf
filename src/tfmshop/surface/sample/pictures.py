"""Pictures for sample products: drawn, small, and the same every time."""

from __future__ import annotations

import html
import random
from typing import Final

from tfmshop.platform.files import Files

_PALETTES: Final = (
    ("#f4efe6", "#e2c9a6", "#7a4f2a"), ("#e8f0ee", "#a9cfc4", "#24594c"), ("#eef0f8", "#b5c0e6", "#2f3d77"),
    ("#f8ecec", "#eab8b0", "#8a3324"), ("#f2f2ea", "#cfd3a1", "#555b1f"), ("#efe9f5", "#c9b3e0", "#50307a"),
)  # fmt: skip
_SHAPES: Final = {
    "lamp": '<path d="M240 190h160l50 130H190z" fill="{1}"/>'
    '<path d="M312 320h16v150h-16zM250 470h140v16H250z" fill="{2}"/>'
    '<circle cx="320" cy="336" r="22" fill="#fff4c2"/>',
    "chair": '<path d="M220 150h36v190h150v36H256v110h-36z" fill="{2}"/><path d="M256 320h160v40H256z" fill="{1}"/>'
    '<path d="M384 360h32v126h-32z" fill="{2}"/>',
    "cup": '<path d="M210 220h190v150a70 70 0 0 1-70 70h-50a70 70 0 0 1-70-70z" fill="{1}"/>'
    '<path d="M400 250h30a45 45 0 0 1 0 110h-34" fill="none" stroke="{2}" stroke-width="18"/>',
    "tent": '<path d="M320 170l180 300H140z" fill="{1}"/><path d="M320 250l70 220H250z" fill="{2}"/>',
    "bag": '<rect x="200" y="250" width="240" height="230" rx="24" fill="{1}"/>'
    '<path d="M260 260v-30a60 60 0 0 1 120 0v30" fill="none" stroke="{2}" stroke-width="18"/>',
    "plant": '<path d="M240 380h160l-24 110H264z" fill="{2}"/>'
    '<path d="M320 380C220 330 220 230 300 180c40 60 40 140 20 200z'
    'M320 380c100-40 120-120 70-190-60 40-80 120-70 190z" fill="{1}"/>',
}  # fmt: skip


def draw(files: Files, shape: str, title: str, source: random.Random) -> str:
    """Draw a product, keep the picture, and give its address."""
    palette = source.choice(_PALETTES)
    tilt = source.randint(-4, 4)
    figure = _SHAPES[shape].format(*palette)
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 640" role="img">'
        f"<title>{html.escape(title)}</title>"
        f'<rect width="640" height="640" fill="{palette[0]}"/>'
        f'<circle cx="320" cy="330" r="230" fill="#fff" opacity=".55"/>'
        f'<ellipse cx="320" cy="500" rx="150" ry="16" fill="{palette[2]}" opacity=".18"/>'
        f'<g transform="rotate({tilt} 320 330)">{figure}</g></svg>'
    )
    return f"/api/v1/media/{files.put(svg.encode(), 'svg')}"
