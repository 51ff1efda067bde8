"""The machine in one line: what is known, and what is worth a word."""

from dataclasses import replace

from runs import machine, on_a_machine

from probe.machine.state import GpuState, HostState, MachineState
from probe.plan import Role
from probe.report import terminal
from probe.report.machine_line import machine_line
from probe.report.server_line import server_lines
from probe.server_state import ServerFigures


def test_a_capped_gpu_is_named_with_its_reason() -> None:
    assert machine_line(machine()) == (
        "GPU 812 MHz (power cap), 36 W, 61 °C, 94% used; CPU 3900 MHz (performance), 31% used, "
        "12% of the time waiting for a processor, 61.0 GiB free"
    )


def test_a_machine_that_does_nothing_else_is_short() -> None:
    host = HostState(busy=0.02, pressure_cpu=0.001, steal=0.0, memory_available_bytes=2**30)
    assert machine_line(MachineState(host)) == "CPU 2% used, 1.0 GiB free"


def test_a_hypervisor_that_takes_the_processor_is_named() -> None:
    assert machine_line(MachineState(HostState(steal=0.25))) == "25% taken by the hypervisor"


def test_nothing_known_is_no_line() -> None:
    assert machine_line(MachineState()) == ""
    assert machine_line(MachineState(gpus=(GpuState(),))) == ""


def test_of_several_gpus_it_is_the_one_that_worked() -> None:
    gpus = (GpuState(sm_mhz=210, utilisation=0.0), GpuState(sm_mhz=2500, utilisation=0.9))
    assert machine_line(MachineState(gpus=gpus)) == "GPU 2500 MHz, 90% used"


def test_the_report_has_it() -> None:
    lines = [*terminal.report(on_a_machine(), 100)]
    assert any(line.startswith("  Machine:") and "power cap" in line for line in lines)
    without = [*terminal.report(replace(on_a_machine(), machine=None), 100)]
    assert not any("Machine" in line for line in without)


def test_another_machine_is_named_and_an_exporter_that_does_not_answer_is_too() -> None:
    assert machine_line(MachineState(HostState(busy=0.02), name="spark")) == "spark; CPU 2% used"
    found = machine_line(MachineState(name="spark", silent=("node", "dcgm")))
    assert found == "spark; no answer from node_exporter and dcgm-exporter"


REPORTED: dict[Role, ServerFigures] = {
    "llm": ServerFigures(1, 0, 0.25, 12.0, 34.0, 3, 0.5),
    "tts": ServerFigures(),
    "agent": ServerFigures(waiting=2),
}


def test_the_report_has_a_line_for_each_server_that_reports_something() -> None:
    record = replace(on_a_machine(), reported=REPORTED)
    found = dict(server_lines(record))
    assert [*found] == ["LLM server", "Agent server"]
    assert found["LLM server"] == (
        "1 request before, 0 waiting, 25% of its cache in use; 3 requests meanwhile; each waited 12ms; "
        "first token after 34ms; 50% of the prompt cached"
    )
    assert any("LLM server:" in line for line in terminal.report(record, 100))
