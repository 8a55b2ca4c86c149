"""The list of what install.sh lays down, and where."""

def _entry(ctx, file, destination):
    """Where a file goes: what is laid down there, and the line that says so."""
    template = file.basename.endswith(".in")
    if template:
        expanded = ctx.actions.declare_file("%s/%s" % (ctx.label.name, file.basename))
        ctx.actions.expand_template(
            output = expanded,
            substitutions = ctx.attr.substitutions,
            template = file,
        )
        file = expanded
    line = " ".join([
        "template" if template else "file",
        "755" if destination.startswith("bin/") else "644",
        destination,
        file.short_path,
    ])
    return file, line

def _installation_impl(ctx):
    entries = []
    for target, destination in ctx.attr.files.items():
        files = target[DefaultInfo].files.to_list()
        if len(files) != 1:
            fail("%s has %d files; list those to install" % (target.label, len(files)))
        if destination.endswith("/"):
            destination += files[0].basename
        entries.append(_entry(ctx, files[0], destination))

    lines = [line for _, line in entries] + [
        "link - %s %s" % link
        for link in ctx.attr.links.items()
    ]

    manifest = ctx.actions.declare_file(ctx.label.name + ".txt")
    ctx.actions.write(manifest, "\n".join(lines) + "\n")
    return [DefaultInfo(
        files = depset([manifest]),
        runfiles = ctx.runfiles(files = [manifest] + [file for file, _ in entries]),
    )]

installation = rule(
    implementation = _installation_impl,
    attrs = {
        "files": attr.label_keyed_string_dict(
            allow_files = True,
            doc = "What, each one file -> where under the prefix; a directory " +
                  "ends in a slash. What is below bin/ can be executed. In a " +
                  "file whose name ends in .in, @PREFIX@ and what substitutions " +
                  "has are replaced.",
        ),
        "links": attr.string_dict(
            doc = "Symbolic links: where -> to what.",
        ),
        "substitutions": attr.string_dict(
            doc = "What stands in a file whose name ends in .in -> what it becomes.",
        ),
    },
)
