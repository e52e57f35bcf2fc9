import InterprocessSystem
import SystemPackage

/// Holds the table against the running kernel.
final class FacilityCheck {
    private let directory: FilePath

    /// - Throws: if there is no directory to make objects in.
    init() throws {
        let me = ProcessIdentity.current()
        directory = FilePath("/tmp/ipc-facilities-\(me.pid)-\(me.startTime)")
        // Another user is to find what it may use.
        let isMade = try withFileCreationMask(0) { try Directory.make(at: directory, mode: FilePermissions(rawValue: 0o755)) }
        guard isMade else { throw CommandFailure("\(directory) is there already; remove it") }
    }

    deinit {
        guard let open = try? Directory(opening: directory) else { return }
        for name in (try? open.entries()) ?? [] { try? open.unlink(name) }
        try? Directory.remove(at: directory)
    }

    /// What was seen of a cell.
    struct Finding {
        let row: FacilityRow
        let column: FacilityColumn
        let seen: Result<String, any Error>

        var stated: String { row.cells[column]! }
        var isNotShown: Bool { if case .failure(let error) = seen { error is NotShown } else { false } }
        var isWrong: Bool { if case .success(let seen) = seen { seen != stated } else { !isNotShown } }
        private var place: String { "\(row.name), \(column.rawValue)" }

        var text: String {
            switch seen {
            case .success(let seen): "\(place): the table says '\(stated)', the kernel does '\(seen)'"
            case .failure(let error): isNotShown ? "\(place): not shown, \(error)" : "\(place): \(error)"
            }
        }

        var json: JSONValue {
            let (what, why): (JSONValue, JSONValue) =
                switch seen {
                case .success(let seen): (.string(seen), .null)
                case .failure(let error): (.null, .string("\(error)"))
                }
            return .object([
                ("facility", .string(row.name)), ("column", .string(column.rawValue)), ("stated", .string(stated)), ("seen", what),
                ("isSo", .bool(!isWrong && !isNotShown)), ("error", why),
            ])
        }
    }

    func look(_ row: FacilityRow, _ column: FacilityColumn) -> Finding {
        Finding(
            row: row, column: column,
            seen: Result {
                let place = ScenePlace(directory: directory)
                return try row.scene.init(in: place, forEverybody: false).cell(column, in: place, row)
            })
    }
}
