"""Pictures of icons."""

from ..command_line import ExampleError

# The square around an icon, whose longer side is 512 units.
_FRAME = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-64 -64 640 640">{}</svg>'


def draw_icon(svg: str, size: int) -> bytes:
    """Draw an icon in black on a white square.

    Parameters
    ----------
    svg : str
        The drawing, with a ``viewBox``.
    size : int
        Side of the square in pixels; the icon fills four fifths of it.

    Returns
    -------
    bytes
        A PNG file.

    Raises
    ------
    ExampleError
        If the drawing is not SVG, or resvg-py is not installed.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError as error:
        msg = "The pictures are drawn by resvg-py; run pip install resvg-py."
        raise ExampleError(msg) from error
    inner = svg.replace("<svg ", '<svg width="512" height="512" ', 1)
    try:
        return svg_to_bytes(
            _FRAME.format(inner),
            width=size,
            height=size,
            background="white",
            skip_system_fonts=True,
        )
    except ValueError as error:
        msg = f"A drawing cannot be read ({error}): {svg[:80]!r}."
        raise ExampleError(msg) from error
