"""Code of the documents as files, for the tests to run."""

def readme_block(name, section, language, document = "//:README.md"):
    """The first block of code of a language in a section of a document.

    Args:
      name: The name of the file to write.
      section: The words after "## ".
      language: As after the three back quotes.
      document: The label of the document.
    """
    native.genrule(
        name = "_" + name,
        srcs = [document],
        outs = [name],
        cmd = (
            "awk '/^## /{here = $$0 == \"## %s\"} on && /^```$$/{exit} on; " +
            "here && $$0 == \"```%s\"{on = 1}' $< > $@ && test -s $@"
        ) % (section, language),
    )
