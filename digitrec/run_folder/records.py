"""Records of a TFRecord file, the form of TensorBoard's events."""

import struct
from collections.abc import Iterator

POLYNOMIAL = 0x82F63B78  # CRC-32C of Castagnoli, Bräuer and Herrmann (1993), its bits reversed
HEAD, SUM = 8, 4  # bytes of a length, and of a checksum


def read_records(content: bytes) -> Iterator[bytes]:
    """The records of a file: each a length, its checksum, the content, its checksum.

    They end before the first that is cut short or damaged; behind it nothing can be told.
    """
    place = 0
    while (length := _checked(content, place, HEAD)) is not None:
        place += HEAD + SUM
        record = _checked(content, place, *struct.unpack("<Q", length))
        if record is None:
            return
        yield record
        place += len(record) + SUM


def _checked(content: bytes, place: int, length: int) -> bytes | None:
    """So many bytes, if they are all there and the checksum behind them fits."""
    end = place + length
    if end + SUM > len(content):
        return None
    part = content[place:end]
    return part if _masked(_crc32c(part)) == struct.unpack_from("<I", content, end)[0] else None


def _crc32c(content: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in content:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _masked(crc: int) -> int:
    """As it stands in a file, for checksums of what holds checksums are weak."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _of_byte(crc: int) -> int:
    for _ in range(8):
        crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc


TABLE = tuple(map(_of_byte, range(256)))
