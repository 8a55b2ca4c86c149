"""Manual pages, made of what the programs say of themselves."""

load("//client/package:version.bzl", "VERSION")

def man_page(name, program, section, summary, see_also):
    """NAME.SECTION, of what `program --help` prints, and `program help COMMAND`.

    Args:
      name: of the program, and of the page.
      program: the target.
      section: of the manual.
      summary: what it is, in half a sentence.
      see_also: other pages.
    """
    page = "%s.%d" % (name, section)
    native.genrule(
        name = page,
        # Not a tool of the build: it would be compiled once more to be one.
        srcs = [program],
        outs = [page + ".roff"],
        cmd = """
set -eu
texts=$$(mktemp -d)
trap 'rm -rf "$$texts"' EXIT
$(location {program}) --help > "$$texts/0" || true
n=1
for command in $$(awk '/^Commands:$$/ {{ on = 1; next }} /^$$/ {{ on = 0 }} on {{ print $$1 }}' "$$texts/0"); do
  $(location {program}) help "$$command" > "$$texts/$$n"
  n=$$((n + 1))
done
LC_ALL=C awk -v name={name} -v section={section} -v version={version} \
  -v summary='{summary}' -v see_also='{see_also}' \
  -f $(location //client/package:man_page.awk) \
  $$(seq -f "$$texts/%g" 0 $$((n - 1))) > $@
""".format(
            name = name,
            program = program,
            section = section,
            see_also = see_also,
            summary = summary,
            version = VERSION,
        ),
        tools = ["//client/package:man_page.awk"],
        visibility = ["//tests/client/package:__pkg__"],
    )
