"""What the emulator lacks, one file per gap. Each file's `install` replaces named functions of the pinned emulator.

The table of gaps, with AWS's own documentation as the source of the behaviour, is in local/README.md.
"""

from importlib import import_module

# In this order: a later one may build on what an earlier one replaced.
GAPS = (
    "rule_actions",
    "asynchronous",
    "batch_actions",
    "fan_out",
    "streams",
    "routes",
    "listener",
    "transport",
    "alarm_queries",
    "http_api",
    "cors",
    "exclusive",
    "sessions",
    "certificates",
    "session_keys",
    "identities",
    "connections",
    "direct_message",
    "registry_resources",
    "role_aliases",
    "role_alias_resource",
    "credentials_provider",
    "encryption_context",
    "thing_version",
    "read_units",
    "scans",
    "policies",
    "version_ranges",
)


def install() -> None:
    """Put every gap's replacement in place. Call it once, before the emulator serves."""
    for gap in GAPS:
        import_module(f"loam_local.extension.{gap}").install()
