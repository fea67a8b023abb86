"""Parts of bench/run: processes.py starts and watches what is measured, series.py measures, report.py prints."""
