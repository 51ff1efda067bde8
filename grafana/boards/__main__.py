"""Write every dashboard's JSON: `make dashboards`."""

from boards import fleet
from boards.files import DASHBOARDS, path_of
from boards.frame import to_json

for name, build in {**DASHBOARDS, "fleet": fleet.build}.items():
    path_of(name).write_text(to_json(build(), name), "utf-8")
