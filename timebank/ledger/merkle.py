"""Merkle trees as in RFC 6962, section 2.1: roots, inclusion proofs, checks. Pure.

A leaf is hashed with a 0 byte before it, a node with a 1 byte, so that neither can pass for
the other.
"""

import hashlib
from collections.abc import Iterable, Sequence


def leaf_digest(data: bytes) -> bytes:
    """Hash a leaf's bytes."""
    return hashlib.sha256(b"\0" + data).digest()


def node_digest(left: bytes, right: bytes) -> bytes:
    """Hash an inner node."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """Folds leaf digests into a root with O(log n) memory."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []  # (height, digest), highest first

    def add(self, digest: bytes) -> None:
        """Append a leaf."""
        height = 0
        while self._peaks and self._peaks[-1][0] == height:
            digest = node_digest(self._peaks.pop()[1], digest)
            height += 1
        self._peaks.append((height, digest))
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the leaves so far; of none, the hash of nothing."""
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        digest = self._peaks[-1][1]
        for _height, peak in reversed(self._peaks[:-1]):
            digest = node_digest(peak, digest)
        return digest


def root(digests: Iterable[bytes]) -> bytes:
    """Return the root over leaf digests in order."""
    tree = Tree()
    for digest in digests:
        tree.add(digest)
    return tree.root()


def path(digests: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of leaf `index`, from the leaf's sibling up to the root's child."""
    if not 0 <= index < len(digests):
        raise IndexError(index)
    if len(digests) == 1:
        return []
    split = 1 << ((len(digests) - 1).bit_length() - 1)
    if index < split:
        return [*path(digests[:split], index), root(digests[split:])]
    return [*path(digests[split:], index - split), root(digests[:split])]


def root_from_path(digest: bytes, *, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Fold a leaf digest up its path; None where the path has the wrong length (RFC 9162)."""
    if not 0 <= index < size:
        return None
    here, last = index, size - 1
    for sibling in path:
        if last == 0:
            return None
        if here & 1 or here == last:
            digest = node_digest(sibling, digest)
            while not here & 1 and here:
                here >>= 1
                last >>= 1
        else:
            digest = node_digest(digest, sibling)
        here >>= 1
        last >>= 1
    return digest if last == 0 else None
