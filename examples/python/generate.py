"""Makes Python of the protos, into ./generated."""

import sys
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
PROTO = HERE / "../../proto"
OUT = HERE / "generated"

OUT.mkdir(exist_ok=True)
files = sorted(str(path) for path in PROTO.rglob("*.proto"))
well_known = Path(grpc_tools.__file__).parent / "_proto"
sys.exit(
    protoc.main(
        [
            "protoc",
            f"--proto_path={PROTO}",
            f"--proto_path={well_known}",
            f"--python_out={OUT}",
            f"--pyi_out={OUT}",
            f"--grpc_python_out={OUT}",
            *files,
        ]
    )
)
