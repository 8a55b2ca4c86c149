"""Code of the README as files, for the tests to run."""

def readme_block(name, section, language):
    """The first block of code of a language in a section of the README.

    Args:
      name: The name of the file to write.
      section: The words after "## ".
      language: As after the three back quotes.
    """
    native.genrule(
        name = "_" + name,
        srcs = ["//:README.md"],
        outs = [name],
        cmd = (
            "awk '/^## /{here = $$0 == \"## %s\"} on && /^```$$/{exit} on; " +
            "here && $$0 == \"```%s\"{on = 1}' $< > $@ && test -s $@"
        ) % (section, language),
    )
