"""How an ablation is shown: one page of HTML, CSV files, and a table on the terminal."""
