# Chapter 4 into the book, once data/results.json holds experiments.{attention,small,z_ablation,condensers,levers,labels,family}
# and the new records of measure_robustness, and data/models + firmware/model.h are the final network:
#     bash .notes/chapter4/finish.sh
set -e
cd "${1:-$(dirname "$0")/../..}"
PY=${PY:-.venv/bin/python}
export OMP_NUM_THREADS=1
$PY - <<'P'
import shutil
from pathlib import Path
if not Path("book/04_training.ipynb").exists():
    shutil.copy(".notes/chapter4/04_training.ipynb", "book/04_training.ipynb")
toc = Path("_toc.yml"); text = toc.read_text()
if "04_training" not in text:
    toc.write_text(text.replace("      - file: book/03_attention_condensers\n", "      - file: book/03_attention_condensers\n      - file: book/04_training\n"))
page = Path("book/03_attention_condensers.ipynb"); text = page.read_text(encoding="utf-8")
page.write_text(text.replace("**What comes next.** Training: why the network", "**What comes next.** [Training](04_training.ipynb): why the network"), encoding="utf-8")
P
$PY -m tinyspeech.booktools execute book/04_training.ipynb
$PY -m tinyspeech.booktools numbers
$PY -m tinyspeech.booktools check book/03_attention_condensers.ipynb book/04_training.ipynb
$PY -m pytest -q --nbval book/04_training.ipynb
$PY -m pytest -q tests/test_book.py tests/test_training_chapter.py
git status --short book _toc.yml
