import json
import os
import sys
import urllib.request

api = json.load(sys.stdin)["api"]
request = urllib.request.Request(
    f"{api}/datasets.DatasetApiService/ListDatasets",
    data=b'{"group": "DATASET_SELECTION_GROUP_MY"}',
    headers={"Authorization": f"Bearer {os.environ['KAGGLE_TOKEN']}", "Content-Type": "application/json"},
)
with urllib.request.urlopen(request, timeout=20) as response:
    for dataset in json.load(response)["datasets"]:
        print(dataset["ref"])
