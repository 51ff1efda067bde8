"""Faults that a run against scripted servers can't show, each with the test that plays it."""

from typing import NamedTuple


class Elsewhere(NamedTuple):
    """What goes wrong, the result, and the test: a file below `tests`, and a function in it."""

    fault: str
    comes_of_it: str
    test: str


ELSEWHERE = tuple(
    Elsewhere(*each)
    for each in (
        # What was said, and secrets.
        ("canaries in every text of every protocol, whole and cut", "they are in the history alone",
         "unit/protocols/test_said.py::test_over_http"),
        ("the same in whole runs, of each protocol", "they are in the history alone",
         "integration/engine/test_canaries.py::test_it_is_in_the_history_alone"),
        ("a server that quotes our credentials", "an ellipsis in their place",
         "unit/engine/test_redaction.py::test_credentials_that_a_server_quotes_are_left_out"),
        ("a token file of two lines", "one error of the configuration, without the token",
         "unit/config/test_config_daemon.py::test_a_token_of_two_lines_is_wrong_where_it_is_read"),
        ("a state directory that others may read", "0700 and 0600 from then on",
         "unit/history/test_history.py::test_what_was_said_is_for_its_owner_alone"),
        # The answer's speech.
        ("TTS: speech in pieces of 60 ms in another order", "the run is `ok`; a recogniser gets 3 of 4 words wrong",
         "long/test_garbled_speech.py::test_speech_is_understood_and_garbled_speech_is_not_although_nothing_else_shows_it"),
        ("a recogniser that is late, gone, or sends what is no transcript", "a reason of its own; the run stays `ok`",
         "integration/hearing/test_intelligibility.py::test_each_mishap_has_a_reason_and_the_run_stays_as_it_was"),
        ("runs and users while an answer waits to be transcribed", "they come first; it waits, or is given up",
         "unit/daemon/test_transcriber.py::test_a_run_waits_for_no_transcription"),
        # Bounded cost.
        ("110 floods, each from four servers at once", "no turn of the loop over 20 ms of CPU, below 150 MB",
         "long/test_floods.py::test_a_flood_costs_no_more_than_promised"),
        ("floods by chance, four at once, under a limit of 384 MB", "the same, and the other runs go on",
         "long/test_floods.py::test_whatever_servers_send_the_daemon_stays_small_and_measures_the_others"),
        ("a flood of an agent's text, and more text behind it", "none of that is kept or looked through",
         "integration/protocols/test_openai_realtime.py::test_text_behind_a_flood_is_no_text_of_the_answer"),
        ("pages of 1 MiB that come from several servers at once", "each is read in a turn of its own",
         "unit/transport/test_share.py::test_work_that_can_t_be_left_waits_for_a_turn_that_has_room"),
        ("a server that is gone before it is asked for its users", "no traceback on standard error",
         "integration/transport/test_ask.py::test_an_end_that_nobody_waits_for_is_no_complaint"),
        ("a collector that answers GOAWAY to each connection", "one attempt each time, and no memory for it",
         "integration/tracing/test_collectors.py::test_a_collector_that_ends_every_connection_is_asked_once_an_attempt"),
        ("more idle HTTP clients than there are descriptors", "one complaint, and runs go on",
         "integration/daemon/test_http_server.py::test_a_flood_of_idle_clients_takes_no_more_descriptors_than_it_may"),
        ("twice as many idle HTTP clients as are served", "every scrape is answered",
         "integration/daemon/test_http_server.py::test_a_crowd_of_idle_clients_keeps_nobody_out"),
        ("as many HTTP clients as are served, none of which reads its page", "every scrape is answered",
         "integration/daemon/test_http_server.py::test_a_crowd_that_does_not_read_keeps_nobody_out"),
        ("as many half, idle or no requests to `probe web` as it serves connections", "every page is answered",
         "integration/web/test_server.py::test_a_crowd_that_asks_for_nothing_more_keeps_nobody_out"),
        ("200 scrapes at once, and no place for any", "a 503 for each, and no reset",
         "integration/daemon/test_http_server.py::test_who_is_refused_is_told_so"),
        ("a browser's page that has its own name lead to 127.0.0.1", "421, and nothing is shown",
         "integration/daemon/test_http_server.py::test_over_loopback_only_names_of_this_machine_are_answered"),
        ("half a renewed certificate at the daemon's port", "the old one stays; one complaint",
         "integration/daemon/test_http_access.py::test_a_renewed_certificate_is_used"),
        ("clients that ask for `/metrics` and read nothing", "pages of 16 MiB wait for them in all; others are refused",
         "integration/daemon/test_http_server.py::test_clients_that_read_nothing_cost_no_more_than_a_few_pages"),
        ("64 KiB of the worst texts for every function that sees foreign ones", "time that grows as the text does",
         "long/test_growth.py::test_time_grows_as_the_text_does"),
        # Nothing blocks the loop or the end.
        ("standard output that nobody reads, then SIGTERM and SIGHUP", "all goes on; lost lines are counted",
         "integration/daemon/test_signals_and_log.py::test_standard_output_that_nobody_reads_holds_up_neither_a_run_nor_a_reload_nor_the_end"),
        ("SIGHUP before READY", "it waits until it can be done",
         "integration/daemon/test_signals_and_log.py::test_a_reload_that_is_asked_for_while_it_starts_waits_until_it_can_be_done"),
        ("more targets than the unit's limits are made for", "a warning at start with what they need",
         "integration/daemon/test_signals_and_log.py::test_more_targets_than_fit_are_reported_at_start"),
        ("a burst of finished runs", "all are in the history",
         "unit/daemon/test_dispatch.py::test_a_burst_of_runs_is_kept_whole"),
        ("a disk that hangs", "runs and the other sinks go on",
         "unit/daemon/test_dispatch.py::test_a_disk_that_hangs_stops_neither_the_runs_nor_the_other_sinks"),
        ("a name that no resolver can take", "refused by `check-config`",
         "unit/config/test_config.py::test_a_bad_file_is_refused_with_a_line_for_each_error"),
        # Counters and files.
        ("a second daemon on a state directory", "it does not start, and says who holds it",
         "integration/daemon/test_history_trouble.py::test_a_second_daemon_on_a_state_directory_is_refused_by_name"),
        ("a damaged history at start", "it says so, measures, and keeps the runs when the file is moved away",
         "integration/daemon/test_history_trouble.py::test_a_damaged_history_is_said_so_and_runs_wait_until_it_is_moved_away"),
        ("a history locked for as long as it lasts", "no run is late or lost",
         "integration/daemon/test_history_trouble.py::test_a_lock_that_stays_delays_no_run_and_loses_none"),
        ("damaged pages of the table, or of an index, where runs are listed", "the others are read",
         "unit/history/test_salvage.py::test_what_is_on_one_damaged_page_is_lost_and_noted"),
        ("the same where drift and comparison read", "the same",
         "unit/history/test_salvage.py::test_a_damaged_page_of_the_table_costs_drift_and_comparison_no_more_than_its_runs"),
        ("the same where spans are sent", "the others' are sent, each once",
         "unit/history/test_salvage.py::test_spans_of_all_other_runs_are_sent_and_once"),
        ("`kill -9` at any moment, 1,000 times", "no finished run is lost",
         "long/test_history_killed.py::test_no_finished_run_is_lost_in_1000_kills"),
        ("a detector's state that can't be written at the end", "those of the other series are saved",
         "unit/daemon/test_drift_sink.py::test_a_state_that_can_t_be_saved_keeps_no_other_from_being_saved"),
        ("a past that takes for ever to be rebuilt", "runs go on",
         "integration/daemon/test_drift.py::test_a_past_that_takes_for_ever_keeps_nobody_from_measuring"),
        ("a past that breaks a detector", "that one starts again",
         "integration/daemon/test_drift.py::test_a_past_that_breaks_the_detector_keeps_nobody_from_measuring"),
        ("a long past that is rebuilt at start", "no turn of the loop over 20 ms of CPU",
         "long/test_start.py::test_what_is_rebuilt_at_start_holds_up_nothing"),
        ("the demo, killed (SIGKILL), with port 9850 taken", "another port, and no process left behind",
         "long/test_demo.py::test_a_killed_demo_leaves_no_process_and_gave_way_on_a_port"),
        ("the demo, ended (SIGTERM)", "no process left behind",
         "long/test_demo.py::test_an_ended_demo_leaves_no_process"),
        # Terminal, installation.
        ("every character of Unicode from a server", "what a terminal gets moves no cursor",
         "unit/test_text.py::test_of_all_of_unicode_only_what_shows_as_itself_reaches_a_terminal"),
        ("a `venv.py` where the installer is started", "every interpreter is isolated from it",
         "unit/deploy/test_install.py::test_every_interpreter_that_it_starts_is_isolated"),
        ("two installers at once", "one waits for the other",
         "unit/deploy/test_install.py::test_two_installers_take_turns"),
        ("the installer killed before each of its commands", "the old version runs, or the new one",
         "long/test_install_killed.py::test_the_old_version_runs_or_the_new_one_does"),
        ("two runs with one id", "the second is an error, not the first one's end",
         "unit/history/test_history.py::test_another_run_of_the_same_id_is_noticed"),
    )
)  # fmt: skip
