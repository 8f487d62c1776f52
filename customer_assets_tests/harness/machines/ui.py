"""A client of Dagster's webserver that sends the GraphQL queries its UI sends."""

from collections.abc import Mapping
from typing import Any

import requests

SYNC_JOB, SCHEDULE, LOCATION = "customer_sync_job", "daily_customer_sync", "customer_assets"
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION}
STATE = "{...on ScheduleStateResult{scheduleState{status}} ...on PythonError{message}}"
LAUNCH_RESULT = "{__typename ...on LaunchRunSuccess{run{runId}} ...on PythonError{message}}"


class UI:
    """What a person can see and do in the browser.

    Args:
        port: The webserver's port on loopback.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, query: str, **variables: Any) -> Any:
        """Send a GraphQL query; return the first field of the response."""
        response = requests.post(
            f"http://127.0.0.1:{self.port}/graphql",
            json={"query": query, "variables": variables},
            timeout=120,
        ).json()
        assert "errors" not in response, response["errors"]
        (value,) = response["data"].values()
        return value

    def is_loaded(self) -> bool:
        """Return whether the webserver has loaded the code location."""
        try:
            return bool(self.ask("{repositoriesOrError{...on RepositoryConnection{nodes{name}}}}").get("nodes"))
        except requests.RequestException:
            return False

    def switch_schedule(self, *, on: bool) -> None:
        """Turn the schedule on or off."""
        name = {"s": {**REPOSITORY, "scheduleName": SCHEDULE}}
        if on:
            answer = self.ask("mutation($s:ScheduleSelector!){startSchedule(scheduleSelector:$s)" + STATE + "}", **name)
        else:
            known = self.ask(
                "query($s:ScheduleSelector!){scheduleOrError(scheduleSelector:$s){...on Schedule{scheduleState{id}}}}",
                **name,
            )
            state = known["scheduleState"]
            answer = self.ask("mutation($id:String!){stopRunningSchedule(id:$id)" + STATE + "}", id=state["id"])
        assert answer["scheduleState"]["status"] == ("RUNNING" if on else "STOPPED"), answer

    def launch(self, *, tags: Mapping[str, str] | None = None, **selector: Any) -> str:
        """Launch the job, or a selection of its assets; return the run's id."""
        answer = self.ask(
            "mutation($p:ExecutionParams!){launchRun(executionParams:$p)" + LAUNCH_RESULT + "}",
            p={
                "selector": {**REPOSITORY, "jobName": SYNC_JOB, **selector},
                "runConfigData": "{}",
                "mode": "default",
                "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]},
            },
        )
        return str(answer["run"]["runId"])

    def sensor_messages(self, sensor: str) -> str:
        """Join the messages of a sensor's latest ticks."""
        found = self.ask(
            "query($s:SensorSelector!){sensorOrError(sensorSelector:$s)"
            "{...on Sensor{sensorState{ticks(limit:50){skipReason}}}}}",
            s={**REPOSITORY, "sensorName": sensor},
        )
        return " ".join(str(tick["skipReason"]) for tick in found["sensorState"]["ticks"])

    def retry_from_failure(self, run_id: str) -> str:
        """Re-execute a run from its failed steps on; return the new run's id."""
        answer = self.ask(
            "mutation($p:ReexecutionParams!){launchRunReexecution(reexecutionParams:$p)" + LAUNCH_RESULT + "}",
            p={"parentRunId": run_id, "strategy": "FROM_FAILURE"},
        )
        return str(answer["run"]["runId"])

    def steps(self, run_id: str) -> dict[str, str]:
        """Return the status of each step of a run."""
        found = self.ask("query($id:ID!){runOrError(runId:$id){...on Run{stepStats{stepKey status}}}}", id=run_id)
        return {step["stepKey"]: step["status"] for step in found["stepStats"]}

    def runs(self, latest: int = 1000) -> list[dict[str, Any]]:
        """Return the latest runs, oldest first."""
        found = self.ask(
            "query($limit:Int!){runsOrError(limit:$limit)"
            "{...on Runs{results{runId status creationTime startTime endTime tags{key value}}}}}",
            limit=latest,
        )["results"]
        for run in found:
            run["tags"] = {tag["key"]: tag["value"] for tag in run["tags"]}
        return sorted(found, key=lambda run: float(run["creationTime"]))

    def status(self, run_id: str) -> str:
        """Return a run's status."""
        return str(self.ask("query($id:ID!){runOrError(runId:$id){...on Run{status}}}", id=run_id)["status"])

    def failures(self, run_id: str) -> list[str]:
        """Return a run's warnings, errors and failures in Dagster's words."""
        found = self.ask(
            "query($id:ID!){runOrError(runId:$id){...on Run{eventConnection{events{__typename"
            " ...on MessageEvent{message level stepKey}}}}}}",
            id=run_id,
        )["eventConnection"]["events"]
        return [
            f"{event['__typename']} {event['stepKey'] or ''}: {event['message']}"
            for event in found
            if event["level"] in {"ERROR", "CRITICAL", "WARNING"} or "Fail" in event["__typename"]
        ]

    def requests_sent_by(self, run_id: str) -> int:
        """Return how many requests a run's crawl reported."""
        found = self.ask(
            "query($id:ID!){runOrError(runId:$id){...on Run{assetMaterializations{assetKey{path}"
            " metadataEntries{label ...on IntMetadataEntry{intValue}}}}}}",
            id=run_id,
        )["assetMaterializations"]
        entries = next(each["metadataEntries"] for each in found if each["assetKey"]["path"] == ["raw_customers"])
        return next(int(entry["intValue"]) for entry in entries if entry["label"] == "requests")

    def freshness(self) -> str:
        """Return the freshness of `raw_customers`; "None" while the webserver has no code server."""
        node = self.ask(
            "query($key:AssetKeyInput!){assetNodeOrError(assetKey:$key)"
            "{...on AssetNode{freshnessStatusInfo{freshnessStatus}}}}",
            key={"path": ["raw_customers"]},
        )
        return str(node.get("freshnessStatusInfo", {}).get("freshnessStatus"))
