"""How an ablation is shown: one page of HTML, tables in Markdown and CSV with pictures, and a table on the terminal."""
