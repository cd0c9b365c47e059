"""The marine mammals that are known by name, and what they are related to.

Names follow the Society for Marine Mammalogy's list of species and subspecies
(https://marinemammalscience.org/science-and-publications/list-marine-mammal-species-subspecies/).
"""

from __future__ import annotations

TOOTHED, BALEEN, SEAL = GROUPS = ("toothed whale", "baleen whale", "seal")
"""The three groups; walruses, sea lions and fur seals count as seals."""

FAMILIES: dict[str, tuple[str, str]] = {
    "Delphinidae": (TOOTHED, "dolphin"),
    "Monodontidae": (TOOTHED, "beluga or narwhal"),
    "Phocoenidae": (TOOTHED, "porpoise"),
    "Physeteridae": (TOOTHED, "sperm whale"),
    "Kogiidae": (TOOTHED, "pygmy or dwarf sperm whale"),
    "Ziphiidae": (TOOTHED, "beaked whale"),
    "Iniidae": (TOOTHED, "river dolphin"),
    "Platanistidae": (TOOTHED, "river dolphin"),
    "Pontoporiidae": (TOOTHED, "franciscana"),
    "Balaenidae": (BALEEN, "right or bowhead whale"),
    "Balaenopteridae": (BALEEN, "rorqual"),
    "Eschrichtiidae": (BALEEN, "gray whale"),
    "Neobalaenidae": (BALEEN, "pygmy right whale"),
    "Phocidae": (SEAL, "true seal"),
    "Otariidae": (SEAL, "sea lion or fur seal"),
    "Odobenidae": (SEAL, "walrus"),
}
"""Group of each family, and its word in answers."""

SPECIES: dict[str, str] = {
    "Delphinidae": """
        Atlantic spotted dolphin, Stenella frontalis
        Pantropical spotted dolphin, Stenella attenuata, spotted dolphin
        Spinner dolphin, Stenella longirostris
        Clymene dolphin, Stenella clymene
        Striped dolphin, Stenella coeruleoalba
        Bottlenose dolphin, common bottlenose dolphin, Tursiops truncatus
        Indo-Pacific bottlenose dolphin, Tursiops aduncus
        Common dolphin, short-beaked common dolphin, Delphinus delphis
        Long-beaked common dolphin, Delphinus capensis
        Fraser's dolphin, Lagenodelphis hosei
        Rough-toothed dolphin, Steno bredanensis
        Risso's dolphin, Grampus Risso's dolphin, Grampus, Grampus griseus
        White-sided dolphin, Atlantic white-sided dolphin, Leucopleurus acutus
        Lagenorhynchus acutus
        Pacific white-sided dolphin, Aethalodelphis obliquidens
        Lagenorhynchus obliquidens
        White-beaked dolphin, Lagenorhynchus albirostris
        Dusky dolphin, Lagenorhynchus obscurus, Aethalodelphis obscurus
        Commerson's dolphin, Cephalorhynchus commersonii
        Heaviside's dolphin, Cephalorhynchus heavisidii
        Hector's dolphin, Cephalorhynchus hectori
        Irrawaddy dolphin, Irawaddy dolphin, Orcaella brevirostris
        Tucuxi, tucuxi dolphin, Sotalia fluviatilis
        Guiana dolphin, Sotalia guianensis
        Northern right whale dolphin, Lissodelphis borealis
        Killer whale, orca, Orcinus orca
        Southern resident killer whale, northern resident killer whale
        Bigg's killer whale, transient killer whale, offshore killer whale
        False killer whale, Pseudorca crassidens
        Pygmy killer whale, Feresa attenuata
        Melon-headed whale, Peponocephala electra
        Long-finned pilot whale, Globicephala melas
        Short-finned pilot whale, short-finned Pacific pilot whale
        Globicephala macrorhynchus, pilot whale
        Dolphin, dolphin unspecified, unidentified dolphin, Delphinid, Delphinidae
        Blackfish, pilot or false killer whale
    """,
    "Monodontidae": """
        Beluga, beluga whale, white whale, beluga white whale, Delphinapterus leucas
        Narwhal, Monodon monoceros
    """,
    "Phocoenidae": """
        Harbor porpoise, harbour porpoise, Phocoena phocoena
        Dall's porpoise, Phocoenoides dalli
        Finless porpoise, Neophocaena phocaenoides
        Vaquita, Phocoena sinus
        Porpoise, porpoise unspecified, unidentified porpoise, Phocoenidae
    """,
    "Physeteridae": "Sperm whale, Physeter macrocephalus, Physeter catodon",
    "Kogiidae": """
        Pygmy sperm whale, Kogia breviceps
        Dwarf sperm whale, Kogia sima
        Kogia, Kogiidae
    """,
    "Ziphiidae": """
        Cuvier's beaked whale, goose-beaked whale, Ziphius cavirostris
        Blainville's beaked whale, Mesoplodon densirostris
        Gervais' beaked whale, Mesoplodon europaeus
        Sowerby's beaked whale, Mesoplodon bidens
        Baird's beaked whale, Berardius bairdii
        Northern bottlenose whale, Hyperoodon ampullatus
        Beaked whale, beaked whale unspecified, unidentified beaked whale, Ziphiidae
    """,
    "Iniidae": "Amazon river dolphin, boto, Inia geoffrensis",
    "Platanistidae": "Ganges river dolphin, susu, Platanista gangetica",
    "Pontoporiidae": "Franciscana, La Plata dolphin, Pontoporia blainvillei",
    "Balaenidae": """
        Bowhead whale, bowhead, Balaena mysticetus
        North Atlantic right whale, northern right whale, Eubalaena glacialis
        North Pacific right whale, Eubalaena japonica
        Southern right whale, Eubalaena australis
        Right whale, right whale unspecified, Balaenidae
    """,
    "Balaenopteridae": """
        Humpback whale, humpback, Megaptera novaeangliae
        Blue whale, Antarctic blue whale, pygmy blue whale, Balaenoptera musculus
        Fin whale, finback whale, fin finback whale, Balaenoptera physalus
        Sei whale, Balaenoptera borealis
        Bryde's whale, Balaenoptera edeni, Balaenoptera brydei
        Rice's whale, Balaenoptera ricei
        Minke whale, common minke whale, Balaenoptera acutorostrata
        Antarctic minke whale, Balaenoptera bonaerensis
        Mixed blue and fin whale, blue and fin whale
        Rorqual, rorqual unspecified, Balaenopteridae
    """,
    "Eschrichtiidae": "Gray whale, grey whale, Eschrichtius robustus",
    "Neobalaenidae": "Pygmy right whale, Caperea marginata",
    "Phocidae": """
        Bearded seal, Erignathus barbatus
        Harp seal, Pagophilus groenlandicus
        Hooded seal, Cystophora cristata
        Harbor seal, harbour seal, Phoca vitulina
        Spotted seal, Phoca largha
        Ringed seal, Pusa hispida, Phoca hispida
        Ribbon seal, Histriophoca fasciata
        Gray seal, grey seal, Halichoerus grypus
        Leopard seal, Hydrurga leptonyx
        Weddell seal, Leptonychotes weddellii
        Ross seal, Ommatophoca rossii
        Crabeater seal, Lobodon carcinophaga
        Northern elephant seal, Mirounga angustirostris
        Southern elephant seal, Mirounga leonina, elephant seal
        Phocid, phocid unspecified, true seal, Phocidae
    """,
    "Otariidae": """
        California sea lion, Zalophus californianus
        Steller sea lion, Steller's sea lion, Eumetopias jubatus
        New Zealand fur seal, Arctocephalus forsteri
        Juan Fernandez fur seal, Arctocephalus philippii
        Antarctic fur seal, Arctocephalus gazella
        Northern fur seal, Callorhinus ursinus
        Sea lion, fur seal, Otariid, Otariidae
    """,
    "Odobenidae": "Walrus, Odobenus rosmarus",
}
"""Names by family, with commas or line ends between; about one species in each line.
Killer and pilot whales are dolphins."""

GROUP_LABELS: dict[str, str] = {
    TOOTHED: "toothed whale, odontocete, odontocete unspecified, Odontoceti, "
    "unidentified odontocete",
    BALEEN: "baleen whale, mysticete, mysticete unspecified, Mysticeti, "
    "unidentified mysticete",
    SEAL: "seal, pinniped, pinniped unspecified, Pinnipedia, unidentified pinniped",
}
"""Labels that tell the group and no more."""
