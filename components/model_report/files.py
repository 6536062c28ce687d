"""The files of a ModelReport artifact."""

REPORT_FILE, CONTENT_FILE = "report.html", "content.json"
# What `requests.write` writes.
REQUESTS_FILE = "requests.parquet"
