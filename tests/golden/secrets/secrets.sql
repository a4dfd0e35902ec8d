-- What a data folder of version 0.1 holds, with a master key of the bytes 0 to 31. Never made again: it must go on opening.
BEGIN TRANSACTION;
CREATE TABLE apikey (
    hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, role TEXT NOT NULL, tenant TEXT);
INSERT INTO "apikey" VALUES(X'D0CD23D5006B2DE1FE45AAFDF75681A091E90640B92C35384F8A0682E72B0624','0123456789ab','tenant-admin','acme');
CREATE TABLE device (tenant TEXT, username TEXT, sealed TEXT NOT NULL, PRIMARY KEY (tenant, username));
INSERT INTO "device" VALUES('acme','1001','s1.3nd-twNBgSyuFBMadkT1CF2q6sQ7idjDHRnC7ifymaI7iHUHuJutenxMRRsYAVriIfn2Srb-5Doki6AOpMCXAvMluVA6RVojA__WM79Um1dibF17kuCAmmHwXgJAFh6VNK9Z7M0trInRQ0vc15Inp59l9oQYKRhkR0BSWT_Rdoi_OBpFM2elLkl4nlKmc_TQHPDtyqhPHo60WCAVMgTflCQ23xQ');
CREATE TABLE master (sealed TEXT NOT NULL);
INSERT INTO "master" VALUES('s1.Bb9VSgqXdjExST7IP_SDjTj43E5RG3CLO2-7ehyiPqaWZ-YdDAs3sqUItg');
COMMIT;
