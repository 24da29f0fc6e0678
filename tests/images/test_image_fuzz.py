"""Any bytes yield either an image of the right shape or an ImageReadError."""

import base64
import os
import warnings
from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import ExifTags, Image

from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images import content_digest, read_image

# For a longer run: IMAGE_FUZZ_EXAMPLES=20000 pytest tests/images/test_image_fuzz.py
EXAMPLES = int(os.environ.get("IMAGE_FUZZ_EXAMPLES", "150"))
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

MAGIC = [
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x10\0\0\0WEBPVP8 ", b"II*\0", b"MM\0*",
    b"BM", b"P6 3 3 255\n", b"\0\0\1\0\1\0", b"8BPS\0\1", b"\0\0\0\x0cjP  \r\n\x87\n", b"DDS ",
    b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x01\xda\x01\x01", b"qoif", b"icns", b"\x0a\x05\x01\x08",
]  # fmt: skip


def valid_files():
    pixels = np.random.default_rng(0).integers(0, 256, (24, 17, 4), dtype=np.uint8)
    rgba = Image.fromarray(pixels)
    rgb, grey, palette = rgba.convert("RGB"), rgba.convert("L"), rgba.convert("P")
    wide = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Software] = "fuzz"
    wanted = [
        (rgb, "JPEG", {"exif": exif}),
        (rgb, "JPEG", {"progressive": True}),
        (rgb.convert("CMYK"), "JPEG", {}),
        (rgba, "PNG", {"exif": exif}),
        (palette, "PNG", {"transparency": b"\0\x80"}),
        (wide, "PNG", {}),
        (rgb, "PNG", {"save_all": True, "append_images": [rgb.rotate(180)]}),
        (palette, "GIF", {"save_all": True, "append_images": [grey], "transparency": 3}),
        (rgb, "WebP", {"exif": exif.tobytes()}),
        (rgba, "WebP", {"lossless": True, "save_all": True, "append_images": [rgba.rotate(180)]}),
        (rgb, "TIFF", {"exif": exif}),
        (rgb, "TIFF", {"compression": "tiff_lzw"}),
        (rgb, "TIFF", {"compression": "jpeg"}),
        (wide, "TIFF", {"compression": "tiff_deflate"}),
        (rgb.convert("CMYK"), "TIFF", {}),
        (grey.convert("F"), "TIFF", {}),
        (rgb, "BMP", {}),
        (palette, "BMP", {}),
        (rgb, "PPM", {}),
        (rgba, "ICO", {}),
        (rgb, "TGA", {"compression": "tga_rle"}),
        (rgb, "PCX", {}),
        (rgba, "DDS", {}),
        (rgb, "SGI", {}),
    ]  # fmt: skip
    files = []
    for image, file_format, options in wanted:
        file = BytesIO()
        image.save(file, file_format, **options)
        files.append(file.getvalue())
    return files


VALID = valid_files()


@pytest.fixture(scope="module", autouse=True)
def _small_bombs():
    # A mutated file may claim 100 million pixels, which is within Pillow's limit but slow.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
        yield


def read_or_error(content):
    try:
        return read_image(content, (5, 4))
    except ImageReadError as error:
        return error


def check(content):
    for action in ("error", "ignore"):
        with warnings.catch_warnings():
            warnings.simplefilter(action)
            outcome = read_or_error(content)
        if isinstance(outcome, ImageReadError):
            assert str(outcome).startswith(f"Cannot read image bytes ({len(content)} bytes): ")
            assert outcome.strerror
        else:
            assert outcome.shape == (5, 4, 3)
            assert outcome.dtype == np.uint8
    assert len(content_digest(content)) == 32


@st.composite
def mutated(draw):
    content = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 8))):
        # Headers are at the start, so mutate that part more often.
        end = draw(st.sampled_from([64, 256, len(content)]))
        at = draw(st.integers(0, max(0, min(end, len(content)) - 1)))
        replaced = draw(st.integers(0, 4))
        content[at : at + replaced] = draw(
            st.binary(min_size=replaced, max_size=replaced) | st.binary(max_size=6)
        )
    return bytes(content[: draw(st.none() | st.integers(0, len(content)))])


@FUZZ
@given(st.binary(max_size=400))
def test_random_bytes(content):
    check(content)


@FUZZ
@given(st.sampled_from(MAGIC), st.binary(max_size=400))
def test_random_bytes_after_a_magic_number(magic, content):
    check(magic + content)


@FUZZ
@given(mutated())
def test_mutated_files(content):
    check(content)


@pytest.mark.parametrize("content", VALID, ids=range(len(VALID)))
def test_truncated_files(content):
    step = max(1, len(content) // 40)
    for length in [*range(min(64, len(content))), *range(64, len(content), step)]:
        check(content[:length])


# Files found by fuzzing; each makes some version of Pillow raise this type of exception.
FOUND = {
    "NotImplementedError": (
        b"L_|{{d;kCd4-fzV7ytkO6951JL;wH)00000000000000000000000000000000000000000002e000000000"
        b"000000001BW002P%00000001BW00000{{R6000930000000RI3G00000000000000000000006>*U)c}q&j"
    ),
    "SyntaxError": (
        b"0000WW^{RQVRmU|00000VRmU|ZE0pPZE0a<O+hh20002%ZDn*}000000000XXk=`10000000000aA{+70000"
        b"00000000000000004sdC7Z2$lO000310016oY;R)#0000)000310RR910RR926951Jx&QzGC~0YKW&i*H000"
        b"31000_kZf0cy000000RRADb}%tRZ)|UJ00000YH4tCZ~y=ROKEUpZvX%Q6lrsCWdHyG000007ytkO5dZ)H5O"
        b"8UDX#fBK00RgJ2mk;83}JRLLxBJc000006Ju{|a&BX6cmM$a4FCp!0000NX>e^}0000000001009I60)qqq0"
        b"06>mWB"
    ),
    "ZeroDivisionError": (
        b"L_|{{d;kCd4-fzV7ytkO5dZ)HL;wH)000000000000000000000000000000000000000000000000010HY>"
        b"KMNS+@;a;|?MfEmt&l&nYM*7Uss^UT_hFX|}_5V!-ko%!(00000000000000W0000%000000000W000000RI"
        b"30{{R6000000"
    ),
    "UnicodeDecodeError": (
        b"P&NuNHy|=J3Nlid;#Y#g&+88%*V*{J5V+{gsXcui@ItmHJ3CQFP8>jaS*m}s?QwfdMVgXdNx;8<+~)x+?Y~w"
        b"B=wM7Y08Pi+u#moJc(d^J=D*l}AC>2G5Se+?&j+*0rYE^c#P<$=+d516E_tZgGo3gRl_2Z6@zy5KIyDTVIz9"
        b"D2Xv$t-2hphM9;phhyW);IHm)&d-tgdwWg3|?u{av_{(UA%KgAJN1{f`IDD$m<KE^r5e}ufH9)JrzuW32FT9"
        b"CRs3O=uu00c9+b+bEaaq*sg7)~4Y0&Ex!N5QmTL$d^id9{+JtkQWMoFE2FcbL(oIBUmG?E"
    ),
    "RuntimeError": (
        b"0000WW^{RQVRmU|fB*mhL3U{YZE0pPZE0a<O+hh20002%ZDn*}000000000XXk=`10000000000aA{+70000"
        b"00000000000000004sdC700000000310016oY;R)#0000)000310RR910RR926951Jx&QzGC~0YKW&i*H000"
        b"31000_kZf0cy000000RRADb}%tRZ)|UJ00000YH4tCZ~y=ROKEUpZvX%Q6lrsCWdHyG000007ytkO5dZ)H5O"
        b"8UDX#fBK00RgJ2mk;83}JSELxBJc000006Ju{|a&BX6cmM$a4FCp!0000NX>e^}0000000001009I60)qqq0"
        b"06>mWMOm?0162h5ibUa2xv4QGO7U-$A^Yx0tg_URR918&#@<{c>XN*FB$?S1UCgNI#s~fBJrj3J%!i7SAE~_"
        b"sIn&sVfjuIa;bPr=9M%g`LL&=9Bofh9n#&PpZQV&(rbGqlt{5@*-2&c9<BGpywfAqw0FaKs7a>&9HO9uMSoN"
        b"Zg%8IuI-C<B`Gi5a0S+abLCWv5%!eL($9FV({`K{}<E3Nmm=r>(fMG^x81i3{&FQO}4(_x@s{"
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_files_found_by_fuzzing(name):
    check(base64.b85decode(FOUND[name]))
