import ArgumentParser
import Interprocess

/// `ipc remove`.
struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove objects by name.",
        discussion: """
            The name is free at once. Processes that have the object open keep working with it; its memory is given back when the last of \
            them has left. Objects that are damaged or of another version are removed too; files that are none of the library's only with \
            --force.
            """)

    @Argument(help: ArgumentHelp("The objects' names.", valueName: "name"))
    var names: [String]
    @OptionGroup var location: DirectoryOption
    @Flag(help: "Also remove what is no object of this library, unless it is a directory.")
    var force = false

    func run() throws {
        var failed = false
        for name in names {
            do {
                let removed = try remove(name)
                try Output.write("removed \(printable(name))\(removed.isOpen ? "; who has it open keeps working with it" : "")\n")
            } catch let error as InterprocessError {
                let canBeForced = !force && [.notASegment, .wrongOwner].contains(error.code)
                let reason = canBeForced ? "\(error.cause); 'ipc remove --force' removes it anyway" : error.reason
                Output.standardError("ipc: cannot remove '\(printable(name))': \(reason)\n")
                failed = true
            }
        }
        if failed { throw ExitCode(1) }
    }

    private func remove(_ name: String) throws -> ObjectStatus {
        if force { return try location.objects.removeAnything(named: name) }
        return try location.objects.remove(try ObjectName(name))
    }
}

/// `ipc gc`.
struct CollectGarbage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Remove what killed processes have left over.",
        discussion: """
            Removes objects that were to live until their last peer leaves, that nobody has open, and that hold no message which was not \
            received. Each is locked against everybody while that is proven. Objects that somebody uses, or that are kept until removed, \
            and foreign files are never touched. Queues whose messages nobody has received stay too, and are named; with --messages they \
            go.
            """)

    @OptionGroup var location: DirectoryOption
    @Flag(help: "Also remove queues with messages that nobody has received.")
    var messages = false
    @Flag(help: "Only say what would be removed.")
    var dryRun = false

    func run() throws {
        let directory = location.objects
        let objects = try directory.objects()
        let found =
            dryRun ? objects.filter { $0.isGarbage(withMessages: messages) } : try directory.collectGarbage(withMessages: messages)
        for object in found {
            try Output.write("\(dryRun ? "would remove" : "removed") \(printable(object.fileName)) (\(byteCount(object.size)))\n")
        }
        let kept = objects.filter { $0.isGarbage(withMessages: true) && !$0.isGarbage(withMessages: messages) }
        for object in kept {
            try Output.write("kept \(printable(object.fileName)): it holds what nobody has received (--messages removes it)\n")
        }
        if found.isEmpty && kept.isEmpty { try Output.write("There is nothing to remove in \(directory.path).\n") }
    }
}
