"""The pages that a person looks at: templates, styles and scripts, all served from here."""
