"""What we take VPP for, said once, as tests that run unchanged on the emulator and on a real VPP.

What the emulator does is only true if VPP does it too, and maglevd is only right if both do what these tests say. Each
test runs twice: as `[emulator]`, and as `[vpp]` with the marker `vpp` if there is a real one:

    MAGLEV_VPP=/usr/bin/vpp pytest tests/contract           # or a vpp on PATH; -m vpp: the real one only
    MAGLEV_TEST_VPP_API=/run/vpp/api.sock MAGLEV_TEST_VPP_STATS=/run/vpp/stats.sock pytest tests/contract

The first starts a VPP of its own in a temporary directory, with one worker and the plugins lb, ping and af_packet, and
stops it at the end: no root, no huge pages, no network. MAGLEV_VPP_PLUGINS names the directory of its plugins if it
does not find them by itself. The second uses one that runs already and that nobody needs: without VIPs, and with a
worker. Both need lb API 1.2.0. An emulator (`python -m maglev.emulator`) may stand in for the second, but for traffic.

`test_session` and `test_plan` ask through a session of our own; everything else through vpp_papi with its own transport
and its own stats reader, so that no fault of ours on both ends hides itself. `test_twins` sends any calls to both at
once and compares all that can be seen. On the emulator time is moved; on a real VPP it has to pass, which takes the
most of its five minutes.
"""
