"""One RPC from wherever this process lives: `python -m tests.daemon.asking ADDRESS METHOD [CA]` prints how it ended."""

import sys
from pathlib import Path

import grpc

from maglev.rpc._pb import maglev_pb2 as pb
from tests.rpc import clients


def main(address: str, method: str, ca: str = "") -> None:
    if ca:
        credentials = grpc.ssl_channel_credentials(Path(ca).read_bytes())
        names = (("grpc.ssl_target_name_override", "localhost"),)
        channel = grpc.secure_channel(address, credentials, options=names)
    else:
        channel = clients.plain(address)
    with channel:
        print(clients.code(channel, method, pb.BackendRequest(name="a").SerializeToString()).name)


if __name__ == "__main__":
    main(*sys.argv[1:])
