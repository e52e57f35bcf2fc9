import ArgumentParser
import InterprocessSystem

/// Another process of a check. Started by ``ScenePeer`` only.
struct FacilityPeer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "facility-peer", abstract: "Another process of a check; started by `ipc facilities`.", shouldDisplay: false)

    /// What it says when it has come to the object.
    static let joined = "joined"

    @Argument var row: String
    @Argument var address: String
    @Flag var asAnotherUser = false

    func run() throws {
        guard let row = FacilityTable.rows.first(where: { $0.name == row }) else {
            throw usageFailure("facility-peer: there is no such row")
        }
        do {
            // 65534: nobody, everywhere.
            if asAnotherUser { try ProcessIdentity.become(user: 65534) }
            try row.scene.join(address)
        } catch {
            return try Output.write("\(error)\n")
        }
        try Output.write("\(Self.joined)\n")
        // Until it is killed.
        _ = Signal.wait(for: [Signal.terminate])
    }
}
