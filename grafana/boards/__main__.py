"""Write every dashboard's JSON: `make dashboards`."""

from boards import fleet
from boards.files import DASHBOARDS, FOLDER
from boards.frame import to_json

for name, build in DASHBOARDS.items():
    (FOLDER / f"{name}.json").write_text(to_json(build(), name), "utf-8")

(fleet.FOLDER / "fleet.json").write_text(to_json(fleet.build(), "fleet"), "utf-8")
