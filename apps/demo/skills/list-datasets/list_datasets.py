"""Lists the datasets of the owner of KAGGLE_TOKEN. Needs only Python."""

import base64
import json
import os
import sys
import urllib.error
import urllib.request

token = os.environ["KAGGLE_TOKEN"]
username = os.environ.get("KAGGLE_USERNAME")
api = os.environ.get("KAGGLE_API_URL", "https://api.kaggle.com/v1")

# A legacy key is sent with its username, a token alone.
if username:
    authorization = "Basic " + base64.b64encode(f"{username}:{token}".encode()).decode()
else:
    authorization = f"Bearer {token}"

request = urllib.request.Request(
    f"{api}/datasets.DatasetApiService/ListDatasets",
    data=json.dumps({"group": "DATASET_SELECTION_GROUP_MY"}).encode(),
    headers={"Authorization": authorization, "Content-Type": "application/json"},
)
try:
    with urllib.request.urlopen(request, timeout=20) as response:
        datasets = json.load(response).get("datasets", [])
except urllib.error.HTTPError as error:
    sys.exit(f"Kaggle answered with status {error.code}.")
except urllib.error.URLError as error:
    sys.exit(f"Kaggle could not be reached: {error.reason}")

json.dump(
    [{"ref": one["ref"], "title": one["title"], "subtitle": one.get("subtitle", "")} for one in datasets],
    sys.stdout,
)
