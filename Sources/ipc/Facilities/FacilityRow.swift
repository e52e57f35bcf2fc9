import InterprocessSystem

/// A facility of the kernel: what the table says of it, and the scene in which each cell is seen on the running kernel.
struct FacilityRow: Sendable {
    let name: String
    let kind: String
    /// A cell for each column.
    let cells: [FacilityColumn: String]
    let limit: FacilityLimit
    let scene: any FacilityScene.Type

    init(
        _ name: String, _ kind: String, _ scene: any FacilityScene.Type, identifiedBy: String, handle: String, access: String,
        lasts: String,
        boundaries: String, order: String = "as sent", pollable: Bool, descriptors: Bool = false, death: String, limit: FacilityLimit
    ) {
        (self.name, self.kind, self.scene, self.limit) = (name, kind, scene, limit)
        cells = [
            .identifiedBy: identifiedBy, .handle: handle, .access: access, .lasts: lasts, .boundaries: boundaries, .order: order,
            .pollable: pollable ? "yes" : "no", .descriptors: descriptors ? "yes" : "no", .death: death,
        ]
    }
}

/// What there is to know of each facility. The first columns are those of tables 43-1 and 43-2 in M. Kerrisk, The Linux Programming Interface (2010).
enum FacilityColumn: String, CaseIterable, Sendable {
    case identifiedBy = "identified by"
    case handle
    case access = "who may use it"
    case lasts
    case boundaries
    case order
    case pollable
    case descriptors = "carries descriptors"
    case death = "death of the other side"
}

/// How much there may be of it, and where the kernel says that.
enum FacilityLimit: Sendable {
    /// A number below `/proc/sys`.
    case kernel(String)
    /// Of each process, by its name in `/proc/self/limits`.
    case process(String)
    /// A number of the manual pages.
    case fixed(String)

    /// Where it is to be found, without the number.
    var source: String {
        switch self {
        case .kernel(let name): name.split(separator: "/").joined(separator: ".")
        case .process(let name), .fixed(let name): name
        }
    }

    /// With the running kernel's number.
    var text: String {
        switch self {
        case .kernel(let name): "\(source) = \(kernelText(name) ?? "?")"
        case .process(let name): "\(name) = \(processLimit(name) ?? "?")"
        case .fixed: source
        }
    }
}
