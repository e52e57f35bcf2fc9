import ArgumentParser
import Interprocess

/// What `ipc send` and `ipc receive` are told alike.
struct TransferOptions: ParsableArguments {
    @Argument(help: "The queue's name.")
    var name: String
    @OptionGroup var location: DirectoryOption
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Room in the queue if it is made now, or that it must have: 64K, 16M, 1G (default: 4M).", valueName: "bytes"),
        transform: parseCapacity)
    var capacity: Int?
    @Option(
        parsing: .unconditional, help: ArgumentHelp("Give up when nothing moved for so long (default: never).", valueName: "seconds"),
        transform: parseSeconds)
    var timeout: Duration?

    var queue: QueueOptions { QueueOptions(directory: location.objects, overflow: .wait) }
}
