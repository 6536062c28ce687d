"""The files of a ModelReport artifact."""

REPORT_FILE, CONTENT_FILE = "report.html", "content.json"
# What `requests.parquet` makes.
REQUESTS_FILE = "requests.parquet"
