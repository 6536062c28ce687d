"""The table that scoring ends with."""

from rich.table import Table


def table(summary: dict) -> Table:
    """Of the summary that `runner.run` gives."""
    shown = Table(title=f"Scores of {summary['name']}", show_header=False, title_justify="left")
    shown.add_column()
    shown.add_column(justify="right")
    shown.add_row("model version", str(summary["model_version"]))
    shown.add_row("rows read", f"{summary['rows_read']:,}")
    shown.add_row("rows in the quarantine", f"{summary['rows_quarantined']:,}")
    for reason, found in summary["quarantine"].items():
        shown.add_row(f"  {reason}", f"{found['rows']:,}")
    shown.add_row("requests", f"{summary['requests']:,}")
    shown.add_row("items", f"{summary['items']:,}")
    shown.add_row("seconds", f"{summary['seconds']:,.1f}")
    shown.add_row("requests a second", f"{summary['requests_per_second']:,.0f}")
    return shown
