"""What teams have in place of envkit, kept as plain as it is found: usual_script.py models.yaml FOLDER CHUNK."""

import hashlib
import sys
from pathlib import Path

import requests
import yaml


def main() -> None:
    registry, folder, chunk = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    for model in yaml.safe_load(registry.read_text())["models"]:
        path = folder / f"{model['name']}_{model['version']}.bin"
        if not path.exists() or md5_of(path) != model["md5"]:
            download(model["url"], path, chunk)
            if md5_of(path) != model["md5"]:
                raise SystemExit(f"{path}: wrong MD5")


def download(url: str, path: Path, chunk: int) -> None:
    with requests.get(url, stream=True, timeout=60) as response, path.open("wb") as stream:
        response.raise_for_status()
        for block in response.iter_content(chunk_size=chunk):
            stream.write(block)


def md5_of(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(4096), b""):
            digest.update(block)
    return digest.hexdigest()


if __name__ == "__main__":
    main()
