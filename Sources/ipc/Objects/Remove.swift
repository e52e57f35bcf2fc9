import ArgumentParser
import Interprocess

/// `ipc remove`.
struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove objects by name.",
        discussion: """
            The name is free at once. Processes that have the object open keep working with it; its memory is given back when the last of \
            them has left. Objects that are damaged, copies, or of another version are removed too; files that are none of the library's \
            only with --force. A name with characters that cannot be shown is written as 'ipc list' shows it, in quotes for the shell: \
            '\\xff'.
            """)

    @Argument(help: ArgumentHelp("The objects' names, as 'ipc list' shows them.", valueName: "name"))
    var names: [String]
    @OptionGroup var location: DirectoryOption
    @Flag(help: "Also remove what is no object of this library, unless it is a directory.")
    var force = false

    func run() throws {
        var failed = false
        for name in names {
            do {
                let removed = try remove(name)
                try Output.write("removed \(removed.printableName)\(removed.isOpen ? "; who has it open keeps working with it" : "")\n")
            } catch let error as InterprocessError {
                let canBeForced = !force && [.notASegment, .wrongOwner].contains(error.code)
                let reason = canBeForced ? "\(error.cause); 'ipc remove --force' removes it anyway" : error.reason
                Output.standardError("ipc: cannot remove '\(error.object)': \(reason)\n")
                failed = true
            }
        }
        if failed { throw ExitCode(1) }
    }

    private func remove(_ name: String) throws -> ObjectStatus {
        let directory = location.objects
        let fileName = try ObjectDirectory.fileName(printedAs: name)
        return force ? try directory.removeAnything(named: fileName) : try directory.remove(named: fileName)
    }
}

/// `ipc gc`.
struct CollectGarbage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Remove what killed processes have left over.",
        discussion: """
            Removes objects that were to live until their last peer leaves, that nobody has open, and that hold no message which was not \
            received. Each is locked against everybody while that is proven. Objects that somebody uses, or that are kept until removed, \
            copies of objects, and foreign files are never touched. Queues whose messages nobody has received stay too, and are named; with --messages they \
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
        let found = objects.filter { $0.isGarbage(withMessages: messages) }
        var failed = false
        for object in found {
            do {
                // Not garbage any more: somebody has opened it since, or removed it.
                if try !dryRun && !directory.removeIfGarbage(object, withMessages: messages) { continue }
                try Output.write("\(dryRun ? "would remove" : "removed") \(object.printableName) (\(byteCount(object.size)))\n")
            } catch let error as InterprocessError {
                Output.standardError("ipc: \(error)\n")
                failed = true
            }
        }
        let kept = objects.filter { $0.isGarbage(withMessages: true) && !$0.isGarbage(withMessages: messages) }
        for object in kept {
            try Output.write("kept \(object.printableName): it holds what nobody has received (--messages removes it)\n")
        }
        if found.isEmpty && kept.isEmpty { try Output.write("There is nothing to remove in \(directory.path).\n") }
        if failed { throw ExitCode(1) }
    }
}
