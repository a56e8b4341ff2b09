"""python3 upload.py '{"endpoint", "file", and more options of Uploader}'

Uploads a file, as often interrupted as it may be; prints
{"upload": its URL, "post": Content-Location of the last answer}.
"""

import json
import sys

from tusclient.client import TusClient

options = json.loads(sys.argv[1])
client = TusClient(options.pop("endpoint"))

uploader = client.uploader(
    options.pop("file"), retries=50, retry_delay=0.1, **options
)
uploader.upload()

post = uploader.request.response_headers.get("content-location")
print(json.dumps({"upload": uploader.url, "post": post}))
