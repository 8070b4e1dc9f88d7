# make book   build the book and serve it (its address is printed)
# make lab    open the notebooks in JupyterLab, at the first chapter
# make html   only build it, into _build/html
# make test   run every test and re-run every notebook, comparing each output with the stored one
# make clean  remove what was built; the environment in .venv stays
PYTHON ?= python3
PORT ?= 0# 0: any free one
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: book lab html test clean
book: html
	@$(BIN)/python -m tinyspeech book serve --port $(PORT)

# book/lab has settings: it asks nobody for news
lab: $(INSTALLED)
	$(BIN)/python -m jupyterlab --LabApp.app_settings_dir=book/lab --ServerApp.root_dir=. book/00_one_word.ipynb

html: $(INSTALLED)
	$(BIN)/jupyter-book build -W -n --keep-going .

# Both run, whatever the first one says; either failing fails the target.
test: $(INSTALLED)
	@status=0; \
	$(BIN)/python -m pytest tests || status=1; \
	$(BIN)/python -m pytest --nbval book/ || status=1; \
	exit $$status

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf _build .pytest_cache .ruff_cache build
