"""What the emulator lacks, one file per gap. Each file's `install` replaces named functions of the pinned emulator.

The table of gaps, with AWS's own documentation as the source of the behaviour, is in local/README.md.
"""


def install() -> None:
    """Put every gap's replacement in place. Call it once, before the emulator serves."""
    from loam_local.extension import (
        alarm_queries, asynchronous, batch_actions, certificates, connections, direct_message, exclusive, fan_out,
        listener, registry_resources, routes, rule_actions, sessions, streams, thing_version, transport)

    for gap in (rule_actions, asynchronous, batch_actions, fan_out, streams, routes, listener, transport,
                alarm_queries, exclusive, sessions, certificates, connections, direct_message, registry_resources,
                thing_version):
        gap.install()
