"""What an archive has, by path: finds members that get in each other's way, and where links end."""

from __future__ import annotations

from envkit.models.archives.member import Entry, refused, shown

MAX_MEMBERS = 100_000
_MAX_HOPS = 40  # links one after another, as Linux follows them


class Index:
    """All members seen so far. Names differ as bytes do: whether ``A`` is ``a`` is for the file system to say."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = {""}
        self._links: dict[str, str] = {}
        self._count = 0

    def add(self, entry: Entry) -> None:
        """Note a member, or raise `ModelError` if it and an earlier one cannot both be there."""
        self._count += 1
        if entry.content is None and entry.target is None:
            self._add_folder(entry.path, entry.path)
        elif self._has(entry.path):
            raise refused(f"two members would be {shown(entry.path)}")
        else:
            self._add_folder(entry.path.rpartition("/")[0], entry.path)
            if entry.target is None:
                self._files.add(entry.path)
            else:
                self._links[entry.path] = entry.target
        # Folders that are only implied cost an inode each, too.
        if max(self._count, len(self._folders)) > MAX_MEMBERS:
            raise refused(f"it has more than {MAX_MEMBERS} members")

    def end(self, path: str) -> str:
        """The file that a member is in the end: itself, or what its links lead to. `ModelError` if there is none."""
        at = path
        for _ in range(_MAX_HOPS + 1):
            if at in self._files:
                return at
            if at not in self._links:
                what = "folder" if at in self._folders else "member that is not there"
                raise refused(f"{shown(path)} is a link to a {what}, {shown(at)}")
            at = self._links[at]
        raise refused(f"{shown(path)} is a link that goes in circles")

    def check(self) -> None:
        """Raise `ModelError` if a link, wanted or not, does not end at a file."""
        for link in self._links:
            self.end(link)

    def _add_folder(self, path: str, member: str) -> None:
        while path not in self._folders:
            if self._has(path):
                raise refused(f"two members would be {shown(path)}: {shown(member)} needs it as a folder")
            self._folders.add(path)
            path = path.rpartition("/")[0]

    def _has(self, path: str) -> bool:
        return path in self._files or path in self._links or path in self._folders
