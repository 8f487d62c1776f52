"""Dagster's webserver, asked in GraphQL just as its UI does."""

from collections.abc import Mapping
from typing import Any

import requests

JOB, SCHEDULE, LOCATION = "customer_sync_job", "daily_customer_sync", "customer_assets"
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION}
SWITCHED = "{...on ScheduleStateResult{scheduleState{status}} ...on PythonError{message}}"
LAUNCHED = "{__typename ...on LaunchRunSuccess{run{runId}} ...on PythonError{message}}"


class UI:
    """What a person can see and do in the browser.

    Args:
        port: Where the webserver listens on loopback.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, query: str, **given: Any) -> Any:
        """Ask the webserver in GraphQL, as its UI does; the first field of the answer."""
        answer = requests.post(
            f"http://127.0.0.1:{self.port}/graphql",
            json={"query": query, "variables": given},
            timeout=120,
        ).json()
        assert "errors" not in answer, answer["errors"]
        (value,) = answer["data"].values()
        return value

    def loaded(self) -> bool:
        """Tell whether the webserver has the code."""
        try:
            return bool(self.ask("{repositoriesOrError{...on RepositoryConnection{nodes{name}}}}").get("nodes"))
        except requests.RequestException:
            return False

    def switch_the_schedule(self, *, on: bool) -> None:
        """Switch the schedule on or off."""
        name = {"s": {**REPOSITORY, "scheduleName": SCHEDULE}}
        if on:
            answer = self.ask(
                "mutation($s:ScheduleSelector!){startSchedule(scheduleSelector:$s)" + SWITCHED + "}", **name
            )
        else:
            known = self.ask(
                "query($s:ScheduleSelector!){scheduleOrError(scheduleSelector:$s){...on Schedule{scheduleState{id}}}}",
                **name,
            )
            state = known["scheduleState"]
            answer = self.ask("mutation($id:String!){stopRunningSchedule(id:$id)" + SWITCHED + "}", id=state["id"])
        assert answer["scheduleState"]["status"] == ("RUNNING" if on else "STOPPED"), answer

    def launch(self, *, tags: Mapping[str, str] | None = None, **selector: Any) -> str:
        """Launch the job, or a selection of its assets, as the UI does; the run's id."""
        answer = self.ask(
            "mutation($p:ExecutionParams!){launchRun(executionParams:$p)" + LAUNCHED + "}",
            p={
                "selector": {**REPOSITORY, "jobName": JOB, **selector},
                "runConfigData": "{}",
                "mode": "default",
                "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]},
            },
        )
        return str(answer["run"]["runId"])

    def told_by(self, sensor: str) -> str:
        """What the latest ticks of a sensor say."""
        found = self.ask(
            "query($s:SensorSelector!){sensorOrError(sensorSelector:$s)"
            "{...on Sensor{sensorState{ticks(limit:50){skipReason}}}}}",
            s={**REPOSITORY, "sensorName": sensor},
        )
        return " ".join(str(tick["skipReason"]) for tick in found["sensorState"]["ticks"])

    def retry_from_failure(self, run_id: str) -> str:
        """Run again what failed in a run, and what comes after it; the new run's id."""
        answer = self.ask(
            "mutation($p:ReexecutionParams!){launchRunReexecution(reexecutionParams:$p)" + LAUNCHED + "}",
            p={"parentRunId": run_id, "strategy": "FROM_FAILURE"},
        )
        return str(answer["run"]["runId"])

    def steps(self, run_id: str) -> dict[str, str]:
        """How each step of a run ended."""
        found = self.ask("query($id:ID!){runOrError(runId:$id){...on Run{stepStats{stepKey status}}}}", id=run_id)
        return {step["stepKey"]: step["status"] for step in found["stepStats"]}

    def runs(self, latest: int = 1000) -> list[dict[str, Any]]:
        """The latest runs, the first first."""
        found = self.ask(
            "query($limit:Int!){runsOrError(limit:$limit)"
            "{...on Runs{results{runId status creationTime startTime endTime tags{key value}}}}}",
            limit=latest,
        )["results"]
        for run in found:
            run["tags"] = {tag["key"]: tag["value"] for tag in run["tags"]}
        return sorted(found, key=lambda run: float(run["creationTime"]))

    def status(self, run_id: str) -> str:
        """How a run stands."""
        return str(self.ask("query($id:ID!){runOrError(runId:$id){...on Run{status}}}", id=run_id)["status"])

    def failures(self, run_id: str) -> list[str]:
        """What a run's record says of its failures and its end, as Dagster words it."""
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

    def requests_of(self, run_id: str) -> int:
        """How many requests a run's crawl says it sent."""
        found = self.ask(
            "query($id:ID!){runOrError(runId:$id){...on Run{assetMaterializations{assetKey{path}"
            " metadataEntries{label ...on IntMetadataEntry{intValue}}}}}}",
            id=run_id,
        )["assetMaterializations"]
        entries = next(each["metadataEntries"] for each in found if each["assetKey"]["path"] == ["raw_customers"])
        return next(int(entry["intValue"]) for entry in entries if entry["label"] == "requests")

    def freshness(self) -> str:
        """How fresh raw_customers is; None as long as the webserver has no code server."""
        node = self.ask(
            "query($key:AssetKeyInput!){assetNodeOrError(assetKey:$key)"
            "{...on AssetNode{freshnessStatusInfo{freshnessStatus}}}}",
            key={"path": ["raw_customers"]},
        )
        return str(node.get("freshnessStatusInfo", {}).get("freshnessStatus"))
