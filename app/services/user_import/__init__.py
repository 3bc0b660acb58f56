"""Import and export of users as CSV and XLSX files."""
